# For a JupyterHub (DockerSpawner, KubeSpawner) or one laptop: docker build -t medattn . && docker run -p 8888:8888 medattn
# What an administrator must know: notebooks/teacher/jupyterhub.md
FROM quay.io/jupyter/base-notebook:python-3.11
USER root
COPY requirements.lock pyproject.toml setup.py MANIFEST.in README.md LICENSE CHANGELOG.md CITATION.cff /opt/medattn/
COPY medattn_lite /opt/medattn/medattn_lite
COPY notebooks /opt/medattn/notebooks
COPY figures /opt/medattn/figures
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r /opt/medattn/requirements.lock \
 && pip install --no-cache-dir --no-deps /opt/medattn \
 && rm -rf /opt/medattn
USER ${NB_UID}
# Each learner gets a copy at the first start; what they changed is never overwritten.
RUN mkdir -p /home/${NB_USER}/medattn-course
CMD ["bash", "-c", "medattn start ~/medattn-course --no-lab && start-notebook.py"]

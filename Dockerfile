# For a JupyterHub (DockerSpawner, KubeSpawner) or one laptop: docker build -t medattn . && docker run -p 8888:8888 medattn
# What an administrator must know: notebooks/teacher/jupyterhub.md
FROM quay.io/jupyter/base-notebook:python-3.11
USER root
COPY requirements.lock pyproject.toml setup.py MANIFEST.in README.md LICENSE LICENSE-CONTENT.md CHANGELOG.md CITATION.cff /opt/medattn/
COPY medattn_lite /opt/medattn/medattn_lite
COPY notebooks /opt/medattn/notebooks
COPY figures /opt/medattn/figures
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r /opt/medattn/requirements.lock \
 && pip install --no-cache-dir --no-deps /opt/medattn \
 && rm -rf /opt/medattn
# At each start, whatever the hub's command for it: the learner's copy is made, or renewed where they changed nothing.
RUN echo 'medattn start "${HOME}/medattn-course" --no-lab || true' > /usr/local/bin/before-notebook.d/50-medattn.sh
USER ${NB_UID}

"""Public data sets fetched from where they lie: `catalogue.py` says where, `fetch_data_set.py` gets and checks them."""

"""The platform on one machine: an embedded Postgres and Airflow's own processes, started, watched and stopped by id."""

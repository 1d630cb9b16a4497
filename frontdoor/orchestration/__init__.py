"""The thin rim between the house and Airflow: triggers, task functions, bells. No logic of its own."""

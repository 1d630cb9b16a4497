"""The data platform behind a children's services front door: files land, are checked, reach people in seconds."""

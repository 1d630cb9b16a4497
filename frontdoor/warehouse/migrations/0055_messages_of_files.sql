-- A receipt says which letters went out about its file.
create index messages_of_files on alerts.messages (file_id);

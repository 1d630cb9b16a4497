-- Labels that no mapping knows, as they were sent. A child's name may have been typed into such a column: read behind the login only.

-- By delivery, so that reading a delivery again replaces what is said of it. label: its first 200 characters.
create table raw.unmapped_labels (
    delivery_id bigint not null references intake.deliveries (delivery_id),
    property text not null,
    code_list text not null,
    label text not null,
    records_count bigint not null,
    primary key (delivery_id, property, label)
);

-- Labels of which a person decided that they may mean several things: they stay unmapped, and wait for nobody.
create table reference.ambiguous_labels (
    agency_code text not null, source text not null, feed text not null, agency_version text not null,
    code_list text not null, label text not null,
    primary key (agency_code, source, feed, agency_version, code_list, label)
);

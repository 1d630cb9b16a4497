-- Numbers as spreadsheets keep them: an age with its fraction, a date as its day's number since 1900. Neither function raises on any text.

-- Completed units of a number that may have a decimal fraction: 6.9 years of age are six. Below zero nothing is completed.
create function reading.completed(sent text) returns integer
language sql immutable parallel safe
as $body$
    select coalesce(
        reading.whole_number(sent),
        case when sent ~ '^\+?[0-9]{1,9}[.,][0-9]{1,20}$' then translate(split_part(replace(sent, ',', '.'), '.', 1), '+', '')::integer end
    )
$body$;

-- The day that a spreadsheet shows for a number, in ISO order, with the time of day that a fraction says; null where it is no such number or
-- the day is not one that we are told of: before 1940, or more than five years after the year received. with_time: also a whole number has one.
create function reading.serial(sent text, received_year integer, with_time boolean) returns text
language sql immutable parallel safe
as $body$
    select case
        when sent ~ '^[0-9]{5}(\.[0-9]{1,20})?$' then
            case
                when date '1899-12-30' + split_part(sent, '.', 1)::integer between date '1940-01-01' and make_date(received_year + 5, 12, 31)
                    then to_char(
                        (date '1899-12-30' + split_part(sent, '.', 1)::integer)::timestamp
                        + interval '1 second' * least(round(86400 * ('0.' || coalesce(nullif(split_part(sent, '.', 2), ''), '0'))::numeric), 86399),
                        case when with_time or split_part(sent, '.', 2) <> '' then 'YYYY-MM-DD"T"HH24:MI:SS' else 'YYYY-MM-DD' end
                    )
            end
    end
$body$;

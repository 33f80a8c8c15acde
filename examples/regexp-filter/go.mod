module regexp_filter

go 1.24

require quidditch-udf v0.0.0

replace quidditch-udf => ../../sdk/go

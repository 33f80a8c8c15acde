module quidditch-udf

go 1.24

module @name@

go 1.24

require quidditch-udf v0.0.0

replace quidditch-udf => ./quidditch-udf

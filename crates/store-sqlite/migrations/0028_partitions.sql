-- PostgreSQL partitions executions by shard and their journals by block of numbers. Here one process has them all, in one file.
SELECT 1;

-- must be adopted: exactly what the oneshot left
SELECT;

/** Half a minute of load on two workers, with changes by the API and one reload after the other: see api-exact.test.ts. */
process.env['VIADUCT_LOAD_MS'] ??= '30000'
await import('../behaviour/api-exact.test.ts')

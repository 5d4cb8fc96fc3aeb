// Nothing here may ask the metadata service of a cloud: where there is none, that is a request into the void.
process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
// Servers of tests are on loopback, which a proxy of this machine cannot reach.
for (const name of Object.keys(process.env)) if (/_proxy$/i.test(name)) delete process.env[name];

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // Finds hangs, and nothing else: a test may be slow where the machine is. No other place sets one.
  testTimeout: 900_000,
  extensionsToTreatAsEsm: ['.ts'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Those that take long run in CI: MILLRACE_TEST_LONG=1 npm test.
  testPathIgnorePatterns: process.env['MILLRACE_TEST_LONG'] === '1' ? [] : ['\\.long\\.test\\.ts$'],
  // Uses every core. Jest's default leaves one of them free.
  maxWorkers: '100%',
  // What a test file has loaded is never freed, and a worker with a large heap spends most of its time collecting garbage.
  workerIdleMemoryLimit: '1000MB',
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true, tsconfig: 'tsconfig.json' }] },
  moduleNameMapper: {
    '^millrace$': '<rootDir>/src/index.ts',
    '^millrace/(operators|stores)$': '<rootDir>/src/entries/$1.ts',
    '^millrace/opentelemetry$': '<rootDir>/src/store/observe/openTelemetry.ts',
    '^millrace/avro$': '<rootDir>/src/formats/avro/index.ts',
    '^millrace/parquet$': '<rootDir>/src/formats/parquet/index.ts',
    '^millrace/postgres$': '<rootDir>/src/sinks/postgres/index.ts',
    '^millrace/testing$': '<rootDir>/src/testing/index.ts',
    '^millrace/operations$': '<rootDir>/src/fs/operations/index.ts',
    '^millrace/fs$': '<rootDir>/src/fs/promises/index.ts',
    '^#src/(.*)\\.js$': '<rootDir>/src/$1',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/'],
};

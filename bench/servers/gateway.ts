import { createMemoryStore, startGateway } from 'millrace';
import type { Start } from '../harness/workload.js';
import { SyntheticStore } from '../synthetic/store.js';

/**
 * The library's gateway in a process of its own, over memory; of what is written below `sink`, if that is given, it
 * keeps only checksums, and an object `key` of `size` bytes, if those are given, is made up as it is read.
 * Params: `bucket`, and perhaps `sink`, `key`, `size`. Info: how to reach it.
 */
export const gateway: Start = async ({ bucket, sink, key, size }) => {
  const memory = createMemoryStore({ uri: `memory://${String(bucket)}` });
  const generated = key === undefined ? {} : { [String(key)]: Number(size) };
  const store = sink === undefined ? memory : new SyntheticStore(memory, { sink: String(sink), generated });
  const credentials = { accessKeyId: 'bench', secretAccessKey: 'bench-secret' };
  const server = await startGateway({ buckets: { [String(bucket)]: store }, credentials });
  return {
    info: { endpoint: server.endpoint, ...credentials },
    close: () => server.close(),
  };
};

/** The entry `millrace/avro`. It needs the optional peer `avsc`. */
export { avro, type AvroOptions } from './avro.js';
export type { AvroCodec } from './codecs.js';
export type { AvroSchema } from './schema.js';

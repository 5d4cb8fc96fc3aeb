import type { ObjectStore } from '../objectStore.js';
import { Bucket } from './bucket.js';
import { GatewayError, notImplemented } from './errors.js';

export class Buckets {
  readonly #buckets: Map<string, Bucket>;
  readonly #make: ((name: string) => ObjectStore | Promise<ObjectStore>) | undefined;

  constructor(
    stores: Readonly<Record<string, ObjectStore>>,
    make: ((name: string) => ObjectStore | Promise<ObjectStore>) | undefined,
  ) {
    this.#buckets = new Map(Object.entries(stores).map(([name, store]) => [name, new Bucket(store)]));
    this.#make = make;
  }

  names(): Iterable<string> {
    return this.#buckets.keys();
  }

  /** Throws `NoSuchBucket`. */
  readonly of = (name: string): Bucket => {
    const bucket = this.#buckets.get(name);
    if (bucket !== undefined) return bucket;
    throw new GatewayError(404, 'NoSuchBucket', 'The specified bucket does not exist');
  };

  async create(name: string): Promise<void> {
    if (this.#buckets.has(name)) {
      throw new GatewayError(409, 'BucketAlreadyOwnedByYou', 'You have this bucket already.');
    }
    if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name)) {
      throw new GatewayError(400, 'InvalidBucketName', 'The specified bucket is not valid.');
    }
    if (this.#make === undefined) throw notImplemented('CreateBucket: it was started without `createBucket`');
    this.#buckets.set(name, new Bucket(await this.#make(name)));
  }
}

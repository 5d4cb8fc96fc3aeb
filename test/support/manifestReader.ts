import { tap, toArray, type Observable } from 'rxjs';
import type { FileManifest, LatestManifest } from '../../src/sinks/file/fileManifest.js';

import { decorate, listAll, type ObjectStore } from 'millrace/stores';

const changing: ReadonlySet<string> = new Set(['put', 'completeUpload', 'delete']);

/** Reads the manifests below a folder of a memory store, and notes what no reader may ever see. */
export class ManifestReader {
  readonly wrong: string[] = [];
  /** The store. The reader looks whenever something below the folder has changed. */
  readonly store: ObjectStore;
  readonly #inner: ObjectStore;
  readonly #prefix: string;
  readonly #read = new Map<string, FileManifest>();
  readonly #latest = new Map<string, string>();

  /** @param prefix ends in a slash */
  constructor(store: ObjectStore, prefix: string) {
    this.#inner = store;
    this.#prefix = prefix;
    this.store = decorate(store, (call, run) =>
      changing.has(call.method) && call.key.startsWith(prefix)
        ? run.pipe(
            tap(() => {
              this.look();
            }),
          )
        : run,
    );
  }

  /** By key, in order. */
  get manifests(): ReadonlyMap<string, FileManifest> {
    this.look();
    return this.#read;
  }

  /** Keys of files. */
  get files(): string[] {
    return [...this.#sizes().keys()].filter((key) => !key.startsWith(`${this.#prefix}_manifests/`));
  }

  look(): void {
    const keys = this.#sizes();
    for (const key of keys.keys()) {
      if (!key.startsWith(`${this.#prefix}_manifests/`) || this.#read.has(key)) continue;
      const body = this.#json(key);
      if (key.endsWith('/latest.json')) {
        const { manifest } = body as LatestManifest;
        const before = this.#latest.get(key) ?? '';
        if (manifest < before) this.wrong.push(`${key} was ${before}, and is ${manifest}`);
        this.#latest.set(key, manifest);
        if (!keys.has(key.replace('latest.json', manifest)))
          this.wrong.push(`${key} names ${manifest}, which does not exist`);
        continue;
      }
      const manifest = body as FileManifest;
      this.#read.set(key, manifest);
      for (const { uri, bytes } of manifest.files) {
        const size = keys.get(this.keyOf(uri));
        if (size === undefined) this.wrong.push(`${key} names ${uri}, which does not exist`);
        else if (size !== bytes) this.wrong.push(`${uri} has ${size} bytes, but ${key} has ${bytes}`);
      }
      const [newest = ''] = [...this.#read.keys()].sort().reverse();
      if (newest !== key) this.wrong.push(`${key} appeared after ${newest}`);
    }
  }

  /** What is wrong at the end: each file is in exactly one manifest, and `latest.json` names the last one. */
  atEnd(): readonly string[] {
    const wrong = [...this.wrong];
    const named = [...this.manifests.values()].flatMap(({ files }) =>
      files.map(({ uri }) => this.keyOf(uri)),
    );
    const files = this.files;
    const missing = files.filter((key) => !named.includes(key));
    if (missing.length > 0) wrong.push(`no manifest names ${missing.join()}`);
    const twice = named.filter((key, i) => named.indexOf(key) !== i);
    if (twice.length > 0) wrong.push(`two manifests name ${twice.join()}`);
    const last = [...this.#read.keys()].sort().at(-1);
    for (const [key, manifest] of this.#latest)
      if (key.replace('latest.json', manifest) !== last)
        wrong.push(`${key} names ${manifest}, not ${last ?? ''}`);
    return wrong;
  }

  keyOf(uri: string): string {
    return decodeURIComponent(uri.slice(this.#inner.uri.length + 1));
  }

  /** Of all objects, by key. */
  #sizes(): Map<string, number> {
    const objects = now(listAll(this.#inner, this.#prefix).pipe(toArray())).flat();
    return new Map(objects.map(({ key, size }) => [key, size]));
  }

  #json(key: string): unknown {
    return JSON.parse(Buffer.concat(now(this.#inner.get(key)).chunks).toString());
  }
}

function now<T>(answer: Observable<T>): T {
  let value: { readonly it: T } | undefined;
  answer.subscribe((it) => {
    value = { it };
  });
  if (value === undefined) throw new Error('A memory store answers at once.');
  return value.it;
}

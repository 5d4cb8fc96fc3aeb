/** What the operations promise, over a plain map from `bucket/key` to content. Refusals are codes. */
import { compareKeys } from '../../src/store/helpers.js';

export interface At {
  readonly bucket: string;
  readonly key: string;
}

export type Outcome = { readonly ok: unknown } | { readonly code: string };
const ok = (value?: unknown): Outcome => ({ ok: value });
const refused = (code: string): Outcome => ({ code });

export class Model {
  readonly #buckets: ReadonlyMap<string, Map<string, string>>;

  constructor(buckets: readonly string[]) {
    this.#buckets = new Map(buckets.map((bucket) => [bucket, new Map()]));
  }

  objects(bucket: string): Map<string, string> {
    return this.#buckets.get(bucket)!;
  }

  write({ bucket, key }: At, body: string): void {
    this.objects(bucket).set(key, body);
  }

  list(at: At): Outcome {
    const named = this.#named(at);
    if (named.object) return ok([nameOf(at.key)]);
    const { keys, prefix } = named;
    if (keys.length === 0 && prefix !== '') return refused('NotFound');
    const names = keys
      .map((key) => /^[^/]*\/?/.exec(key.slice(prefix.length))![0])
      .filter((name) => name !== '');
    return ok([...new Set(names)].sort(compareKeys));
  }

  walk(at: At): Outcome {
    const named = this.#named(at);
    if (named.object) return ok([at.key]);
    if (named.keys.length === 0 && named.prefix !== '') return refused('NotFound');
    return ok(named.keys);
  }

  stat(at: At): Outcome {
    const named = this.#named(at);
    if (named.object) return ok({ kind: 'object', size: this.objects(at.bucket).get(at.key)!.length });
    const { keys, prefix } = named;
    if (keys.length === 0 && prefix !== '') return refused('NotFound');
    return ok({ kind: 'directory', size: this.objects(at.bucket).get(prefix)?.length ?? 0 });
  }

  exists(at: At): Outcome {
    return ok('ok' in this.stat(at));
  }

  makeDirectory(at: At): Outcome {
    const key = directoryOf(at.key);
    if (key !== '' && !this.objects(at.bucket).has(key)) this.write({ ...at, key }, '');
    return ok();
  }

  /**
   * Whether two buckets of a server may be taken for one: what is copied is in both, under one key, and the locations nest. Then a
   * server whose clock stands for two seconds cannot tell them apart, and the operation is refused.
   */
  mayBeOne(from: At, to: At): boolean {
    const [prefix, target] = [directoryOf(from.key), directoryOf(to.key)];
    if (from.bucket === to.bucket || !(prefix.startsWith(target) || target.startsWith(prefix))) return false;
    const there = this.objects(to.bucket);
    return [...this.objects(from.bucket)].some(
      ([key, body]) => key.startsWith(prefix) && there.get(key) === body,
    );
  }

  remove(
    at: At,
    { recursive, mustExist, wholeBucket }: { recursive: boolean; mustExist: boolean; wholeBucket: boolean },
  ): Outcome {
    const objects = this.objects(at.bucket);
    const named = this.#named(at);
    if (named.object) {
      objects.delete(at.key);
      return ok();
    }
    const { keys, prefix } = named;
    if (recursive) {
      if (prefix === '' && !wholeBucket) return refused('WholeBucket');
      if (keys.length === 0 && mustExist) return refused('NotFound');
      for (const key of keys) objects.delete(key);
      return ok();
    }
    // Without a slash or a question, it is the object of that key that goes, and there is none.
    if (prefix !== at.key && !mustExist) return ok();
    if (keys.some((key) => key !== prefix)) return refused('NotEmpty');
    if (keys.length === 0 && mustExist) return refused('NotFound');
    objects.delete(prefix);
    return ok();
  }

  copy(from: At, to: At, overwrite: boolean): Outcome {
    return this.#transfer(from, to, overwrite, false);
  }

  move(from: At, to: At, overwrite: boolean): Outcome {
    return this.#transfer(from, to, overwrite, true);
  }

  #transfer(from: At, to: At, overwrite: boolean, move: boolean): Outcome {
    const [source, target] = [this.objects(from.bucket), this.objects(to.bucket)];
    const same = source === target;
    const named = this.#named(from);
    if (named.object) {
      const key = to.key === directoryOf(to.key) ? to.key + nameOf(from.key) : to.key;
      if (same && key === from.key) return refused('SamePlace');
      if (!overwrite && target.has(key)) return refused('AlreadyExists');
      target.set(key, source.get(from.key)!);
      if (move) source.delete(from.key);
      return ok();
    }
    const { prefix, keys } = named;
    const into = directoryOf(to.key);
    if (same) {
      if (prefix === into) return refused('SamePlace');
      if (into.startsWith(prefix)) return refused('IntoItself');
      const again = prefix + prefix.slice(into.length);
      if (prefix.startsWith(into) && keys.some((key) => key.startsWith(again))) return refused('Overlap');
    }
    if (keys.length === 0) return prefix === '' ? ok() : refused('NotFound');
    let failed = false;
    // A directory's own object, with content that would have no name right in a bucket.
    let nameless: string | undefined;
    for (const key of keys) {
      const copied = into + key.slice(prefix.length);
      if (copied === '') nameless = source.get(key) === '' ? undefined : key;
      else if (!overwrite && target.has(copied)) failed = true;
      else target.set(copied, source.get(key)!);
    }
    if (move && !failed) for (const key of keys) if (key !== nameless) source.delete(key);
    return failed || nameless !== undefined ? refused('CopyFailed') : ok();
  }

  #named({
    bucket,
    key,
  }: At):
    { readonly object: true } | { readonly object: false; readonly prefix: string; readonly keys: string[] } {
    const objects = this.objects(bucket);
    const prefix = directoryOf(key);
    if (prefix !== key && objects.has(key)) return { object: true };
    const keys = [...objects.keys()].filter((other) => other.startsWith(prefix)).sort(compareKeys);
    return { object: false, prefix, keys };
  }
}

const directoryOf = (key: string): string => (key === '' || key.endsWith('/') ? key : `${key}/`);
const nameOf = (key: string): string => /[^/]*\/?$/.exec(key)![0];

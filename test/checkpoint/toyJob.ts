import { map, Subscription, switchMap, type Observable } from 'rxjs';
import { claim, type Coordinator } from '../../src/checkpoint/index.js';
import type { Barrier, Clock, Committable, Participant } from '../../src/flow/index.js';
import type { ObjectStore, UploadedPart } from '../../src/store/objectStore.js';
import { isStoreError } from '../../src/store/errors.js';

export interface ToyOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly random: () => number;
  /** The input is the numbers below this one. */
  readonly units: number;
  readonly done: (error: unknown) => void;
}

type File = Committable & {
  readonly units: readonly number[];
  readonly uploadId?: string;
  readonly parts?: readonly (UploadedPart & Record<string, never>)[];
};

/**
 * The smallest job that uses the whole protocol: a source with a position, and a sink that keeps files open over
 * barriers (their content journaled), closes them, and publishes them by multipart upload under `out/<uid>`.
 */
export class ToyJob implements Participant {
  readonly id = 'out';
  readonly kind = 'sink';
  readonly #o: ToyOptions;
  readonly #held = new Subscription();
  #coordinator!: Coordinator;
  #position = 0;
  #units: number[] = [];
  #journals: string[] = [];
  #uid: string | undefined;
  #files = 0;
  readonly #busy = new Set<string>();
  /** Sealed, by uid: published once a manifest names this upload. One without it names journals that may be gone. */
  readonly #sealed = new Map<string, string | undefined>();

  constructor(options: ToyOptions) {
    this.#o = options;
  }

  start(): void {
    const { store, clock, random } = this.#o;
    const options = {
      store,
      clock,
      random,
      prefix: 'chk/toy/',
      job: 'toy',
      intervalMs: 200,
      timeoutMs: 5_000,
      tolerableFailures: 100,
    };
    claim(options).subscribe({
      next: (coordinator) => {
        this.#coordinator = coordinator;
        // eslint-disable-next-line rxjs-x/no-nested-subscribe -- errors of what was just claimed
        coordinator.errors$.subscribe((error) => {
          this.#end(error);
        });
        this.#position = Number(coordinator.restored('in')?.snapshot ?? 0);
        coordinator.register({ id: 'in', kind: 'source' });
        coordinator.register(this);
        coordinator.start((barrier) => {
          this.#freeze(barrier);
        });
        this.#read();
      },
      error: (error: unknown) => {
        this.#end(error);
      },
    });
  }

  commit(pending: readonly Committable[]): void {
    for (const file of pending as readonly File[]) {
      const stale = this.#sealed.has(file.uid) && this.#sealed.get(file.uid) !== file.uploadId;
      if (this.#busy.has(file.uid) || stale) continue;
      this.#busy.add(file.uid);
      if (file.uploadId === undefined) this.#seal(file);
      else this.#complete(file);
    }
  }

  #read(): void {
    const { clock, units, random } = this.#o;
    if (this.#position === units) {
      this.#held.add(
        this.#coordinator.finish('final').subscribe(() => {
          this.#end(undefined);
        }),
      );
      return;
    }
    clock.after(20 + random() * 60, () => {
      if (this.#held.closed) return;
      this.#units.push(this.#position++);
      this.#read();
    });
  }

  #freeze(barrier: Barrier): void {
    barrier.ack('in', { snapshot: this.#position });
    const { store, random, units } = this.#o;
    const content = this.#units;
    if (content.length === 0) {
      barrier.ack('out', {});
      return;
    }
    const uid = (this.#uid ??= `${this.#coordinator.epoch}-${++this.#files}`);
    if (this.#position < units && random() < 0.5) {
      const journal = this.#coordinator.data.name('out', '.journal');
      this.#journals.push(journal);
      const open = [{ uid, units: [...content], objects: [...this.#journals] }];
      this.#try(store.put(`chk/toy/${journal}`, Buffer.from(uid)), () => {
        barrier.ack('out', { open });
      });
      return;
    }
    this.#units = [];
    this.#journals = [];
    this.#uid = undefined;
    this.#upload({ uid, units: content }, (file) => {
      barrier.ack('out', { closed: [file] });
    });
  }

  /** Restored from journals only: all of them must exist. */
  #seal(file: File): void {
    const { store } = this.#o;
    const { objects = [], ...rest } = file;
    const left = new Set(objects);
    const upload = (): void => {
      this.#upload(rest, (amended) => {
        this.#busy.delete(file.uid);
        this.#sealed.set(file.uid, amended.uploadId);
        this.#coordinator.amend('out', amended);
      });
    };
    for (const key of objects) {
      this.#try(store.get(`chk/toy/${key}`), () => {
        left.delete(key);
        if (left.size === 0) upload();
      });
    }
    if (objects.length === 0) upload();
  }

  #upload(file: File, next: (file: File) => void): void {
    const { store } = this.#o;
    const key = `out/${file.uid}`;
    const uploaded = store
      .createUpload(key)
      .pipe(
        switchMap(({ uploadId }) =>
          store
            .uploadPart(key, uploadId, 1, Buffer.from(JSON.stringify(file.units)))
            .pipe(map((part) => ({ ...file, uploadId, parts: [{ ...part }] }) as unknown as File)),
        ),
      );
    this.#try(uploaded, next);
  }

  #complete(file: File): void {
    const { store } = this.#o;
    const key = `out/${file.uid}`;
    const confirm = (): void => {
      this.#busy.delete(file.uid);
      this.#coordinator.confirm('out', file.uid);
    };
    this.#try(store.completeUpload(key, file.uploadId ?? '', file.parts ?? []), confirm, (error) => {
      if (!isStoreError(error, 'NotFound')) return false;
      this.#try(store.head(key), confirm);
      return true;
    });
  }

  /** Until it succeeds or is refused. */
  #try<T>(
    request: Observable<T>,
    next: (value: T) => void,
    refused: (error: unknown) => boolean = () => false,
  ): void {
    if (this.#held.closed) return;
    this.#held.add(
      request.subscribe({
        next,
        error: (error: unknown) => {
          if (refused(error)) return;
          if (isStoreError(error, 'Unavailable')) {
            this.#o.clock.after(30, () => {
              this.#try(request, next, refused);
            });
          } else this.#end(error);
        },
      }),
    );
  }

  #end(error: unknown): void {
    if (this.#held.closed) return;
    this.#held.unsubscribe();
    const claimed = this.#coordinator as Coordinator | undefined;
    claimed?.close();
    if (claimed === undefined || error === undefined) this.#o.done(error);
    else claimed.leave(error).subscribe((why) => this.#o.done(why));
  }
}

import { Observable, Subscription, type Subscriber } from 'rxjs';
import { monotonic } from '../../flow/index.js';
import type { CheckpointEffect, CheckpointInput } from '../checkpointState.js';
import type { ClaimOptions, SavepointTarget } from '../contract.js';
import type { DataPlace } from '../dataPlace.js';
import { savepointFailed } from '../errors.js';
import { copySavepoint } from './copy.js';

export interface MakerOptions extends Pick<
  ClaimOptions,
  'store' | 'location' | 'sign' | 'clock' | 'random' | 'allow' | 'on'
> {
  /** Where the job's data objects are. */
  readonly place: () => DataPlace;
  readonly send: (event: CheckpointInput) => void;
}

interface Making {
  readonly target: SavepointTarget;
  readonly out: Subscriber<never>;
  readonly startedAt: number;
}

/** Carries out what `making.ts` decides: copies, and reports to the caller. */
export class SavepointMaker {
  readonly #options: MakerOptions;
  #making: Making | undefined;
  #copying = Subscription.EMPTY;

  constructor(options: MakerOptions) {
    this.#options = options;
  }

  make(target: SavepointTarget): Observable<never> {
    return new Observable((out) => {
      const { clock, send } = this.#options;
      this.#making = { target, out, startedAt: monotonic(clock) };
      send({ type: 'savepoint', uri: target.uri });
    });
  }

  copy({ manifest }: Extract<CheckpointEffect, { type: 'copy-savepoint' }>): void {
    const making = this.#making;
    if (making === undefined) return;
    const { store, location, sign, clock, random, allow, place, send, on } = this.#options;
    const { uri } = making.target;
    const copy = {
      ...{ manifest, place: place(), location: location ?? { store, bucket: '' } },
      ...{ target: making.target.location, key: sign?.keys[0], clock, random, allow },
      moved: () => {
        send({ type: 'copied' });
      },
    };
    this.#copying = copySavepoint(copy).subscribe({
      next: ({ objects, bytes }) => {
        this.#making = undefined;
        const durationMs = Math.round(monotonic(clock) - making.startedAt);
        on?.({ type: 'savepoint-made', uri, checkpoint: manifest.checkpoint, objects, bytes, durationMs });
        making.out.complete();
        send({ type: 'savepointed' });
      },
      error: (error: unknown) => {
        this.failed(savepointFailed(uri, error));
        send({ type: 'savepointed' });
      },
    });
  }

  failed(error: unknown): void {
    const making = this.#making;
    if (making === undefined) return;
    this.#making = undefined;
    this.#options.on?.({ type: 'savepoint-failed', uri: making.target.uri, error });
    making.out.error(error);
  }

  /** As a crash would. */
  close(): void {
    this.#making = undefined;
    this.#copying.unsubscribe();
  }
}

/**
 * A sink for a table: an outbox, written outside of millrace with public names only. At a barrier its batches are data objects
 * of the checkpoint. Once the manifest is durable, the table takes them in order, each in one transaction.
 */
import { concatMap, map, type Observable, type Subscriber } from 'rxjs';
import type { FlowOperator, Signal } from 'millrace';
import {
  checkpointData,
  flowOperator,
  stores,
  TwoPhaseSink,
  type Attempt,
  type Barrier,
  type Committable,
  type CheckpointData,
  type FrozenWork,
  type Prepared,
  type TwoPhaseKind,
} from 'millrace/operators';
import { Table } from './table.js';

/** Rows in a data object, which the table takes in one transaction. */
interface Batch {
  readonly object: string;
  readonly checkpoint: number;
  readonly sequence: number;
  readonly bytes: number;
  readonly records: number;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value);

/** Writes rows to the table at `uri`, each once and in order. `id` names the sink in checkpoints. */
export function tableSink<A>(id: string, uri: string, options: OutboxOptions): FlowOperator<A, never> {
  return flowOperator<A, never>((out) => new Outbox<A>(out, id, uri, options));
}

export interface OutboxOptions {
  /** The most rows in a batch. */
  readonly rows: number;
  /** Bytes of batches that are not stored yet. Sources wait while there are more. */
  readonly budget: number;
}

class Outbox<A> extends TwoPhaseSink<A, Batch> {
  #data!: CheckpointData;
  #rows: A[] = [];
  #batches: Omit<Batch, 'checkpoint'>[] = [];
  #held = 0;

  constructor(
    out: Subscriber<Signal>,
    id: string,
    private readonly uri: string,
    private readonly options: OutboxOptions,
  ) {
    super(out, id);
  }

  protected override prepare(attempt: Attempt): Prepared<Batch> {
    const { store, key } = attempt.use(stores).open(this.uri);
    this.#data = attempt.use(checkpointData);
    return { kind: tableKind(this.id, attempt, this.#data, new Table(store, key), this.uri) };
  }

  override onRecord(row: A): void {
    this.#rows.push(row);
    if (this.#rows.length >= this.options.rows) this.#store();
  }

  protected override freeze({ checkpoint }: Barrier): FrozenWork<Batch> {
    this.#store();
    const closed = this.#batches.map((batch) => ({ committable: () => ({ ...batch, checkpoint }) }));
    this.#batches = [];
    return { open: [], closed };
  }

  protected override get full(): boolean {
    return this.#held > this.options.budget;
  }

  #store(): void {
    if (this.#rows.length === 0) return;
    const body = Buffer.from(JSON.stringify(this.#rows));
    const object = this.#data.name(this.id, '.batch');
    const stored = this.begin(object);
    const { length: bytes } = body;
    this.#batches.push({ object, sequence: this.#batches.length, bytes, records: this.#rows.length });
    this.#rows = [];
    this.#held += bytes;
    this.request(this.#data.store.put(this.#data.key(object), body), () => {
      this.#held -= bytes;
      stored();
      this.relieve();
    });
  }
}

function tableKind(
  sink: string,
  { job, epoch }: Attempt,
  data: CheckpointData,
  table: Table,
  uri: string,
): TwoPhaseKind<Batch> {
  return {
    name: 'batch',
    version: 1,
    shapes: { checkpoint: isCount, sequence: isCount, bytes: isCount, records: isCount },
    encode: ({ object, checkpoint, sequence, bytes, records }) => {
      const fields = { checkpoint, sequence, bytes, records };
      return { uid: object, objects: [object], ...fields };
    },
    decode: (stored, bad) => {
      const [object] = stored.objects ?? [];
      if (object === undefined) throw bad('it names no data object');
      return { ...(stored as Committable & Batch), object };
    },
    publish: ({ object, checkpoint, sequence }) =>
      rowsOf(data, object).pipe(
        concatMap((rows) => table.apply({ job, sink, checkpoint, epoch, sequence }, rows)),
        map(() => ({ is: 'mine' as const })),
      ),
    describe: ({ bytes, records }) => ({ uri, bytes, records }),
    concurrency: 1,
  };
}

function rowsOf(data: CheckpointData, object: string): Observable<readonly unknown[]> {
  return data.store
    .get(data.key(object))
    .pipe(map(({ chunks }) => JSON.parse(Buffer.concat(chunks).toString()) as unknown[]));
}

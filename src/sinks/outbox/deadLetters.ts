import { ignoreElements, type Observable } from 'rxjs';
import { jsonEncoder } from '../../formats/jsonEncoder.js';
import { uriBelow } from '../../path/index.js';
import type { Place } from '../twoPhase/places.js';
import type { PoisonReason } from './journaled.js';
import type { OutboxMark } from './mark.js';

/** The first line of a dead letter. A line for each record follows. */
interface Header {
  readonly job: string;
  readonly mark: Omit<OutboxMark, 'history'>;
  readonly records: number;
  readonly error: PoisonReason;
}

const json = jsonEncoder();

/**
 * The folder where poison batches go, each as one object of lines of JSON. Its name is that of the batch, so that writing it again
 * changes nothing.
 */
export class DeadLetters {
  constructor(private readonly place: Place) {}

  /** @param encode the record as the journal has it, for a record without a JSON form */
  write<A>(
    name: string,
    header: Header,
    records: readonly A[],
    encode: (record: A) => Uint8Array,
  ): Observable<never> {
    const { store, prefix } = this.place;
    const body = [json(header), ...records.map((record) => lineOf(record, encode)), ''].join('\n');
    return store
      .put(prefix + name, Buffer.from(body), { content: { type: 'application/x-ndjson' } })
      .pipe(ignoreElements());
  }

  uriOf(name: string): string {
    const { store, prefix } = this.place;
    return uriBelow(store.uri, prefix + name);
  }
}

function lineOf<A>(record: A, encode: (record: A) => Uint8Array): string {
  try {
    return json(record);
  } catch {
    return json({ 'millrace:encoded': Buffer.from(encode(record)).toString('base64') });
  }
}

import type { Committable } from '../../flow/index.js';
import { fields, isCount, isString, optional } from '../../shape.js';
import { tailLength, type Tail } from '../../store/multipart/index.js';
import type { CommittableFields } from '../twoPhase/kind.js';
import { decodeTail, encodeTail, isTail } from '../twoPhase/tails.js';

/**
 * The batches of one journal as a manifest carries them: enough for any process to publish them in order under the same marks.
 * They stay there until all are published; a batch that the target has already taken is recognized by its mark.
 */
export interface Journaled {
  readonly uid: string;
  readonly checkpoint: number;
  /** The attempt that wrote it: see `lineage.ts`. Absent: an earlier version wrote it. */
  readonly origin?: string | undefined;
  /** The sequence of the first batch. */
  readonly sequence: number;
  readonly batches: number;
  /** Without those of batches that are poison. */
  readonly records: number;
  /** The journal, or its bytes. */
  readonly content: Tail;
  readonly serializer: { readonly id: string; readonly version: number };
  /** Batches that are dealt with. Others follow. */
  readonly done: number;
  /** The first batch that is not done is poison, for this reason, and goes to the dead letters. */
  readonly poison?: PoisonReason | undefined;
}

/** As a manifest and a dead letter carry it. */
export interface PoisonReason {
  /** The code or the name of the error. */
  readonly code: string;
  readonly message: string;
}

/** For manifests and dead letters, which other people read. */
export function reasonOf(error: unknown): PoisonReason {
  const { code, name, message } = (error ?? {}) as Partial<Record<'code' | 'name' | 'message', unknown>>;
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    code: text(code) ?? text(name) ?? 'unknown',
    message: (text(message) ?? '').slice(0, 500).toWellFormed(),
  };
}

export const bytesOf = ({ content }: Journaled): number => tailLength(content);

/** The codec of a journal's fields in a manifest. */
export const journaledCodec = {
  name: 'outbox',
  version: 1,
  shapes: {
    checkpoint: isCount,
    origin: optional(isString),
    sequence: isCount,
    batches: isCount,
    records: isCount,
    content: isTail,
    serializer: fields({ id: isString, version: isCount }),
    done: optional(isCount),
    poison: optional(fields({ code: isString, message: isString })),
  },

  encode(journaled: Journaled): CommittableFields {
    const { uid, checkpoint, origin, sequence, batches, records, content, serializer, done, poison } =
      journaled;
    const objects = [...new Set(content.ranges.map(({ journal }) => journal))];
    return {
      uid,
      checkpoint,
      ...(origin !== undefined && { origin }),
      sequence,
      batches,
      records,
      content: encodeTail(content, objects),
      serializer: { id: serializer.id, version: serializer.version },
      ...(done > 0 && { done }),
      ...(poison !== undefined && { poison: { code: poison.code, message: poison.message } }),
      ...(objects.length > 0 && { objects }),
    };
  },

  decode(stored: Committable, bad: (why: string) => Error): Journaled {
    const { objects, done, content, ...rest } = stored as unknown as StoredJournaled;
    if ((done ?? 0) > rest.batches) throw bad('more batches are done than it has');
    return { ...rest, content: decodeTail(content, objects ?? [], bad), done: done ?? 0 };
  },
};

type StoredJournaled = Omit<Journaled, 'content' | 'done'> & {
  readonly content: Parameters<typeof decodeTail>[0];
  readonly done?: number;
  readonly objects?: readonly string[];
};

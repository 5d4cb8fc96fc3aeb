import { openRecoverableWriter } from 'millrace/stores';

/** What one of your checkpoints holds: a position in the input, and the output up to there. */
export interface Checkpoint {
  readonly position: number;
  /** A closed file, or the resumable of an open one. */
  readonly committable?: string;
  readonly resumable?: string;
}

/** Exports lines after the last checkpoint. `save` resolves when a checkpoint is durable. */
export async function exportLines(
  lines: readonly string[],
  last: Checkpoint,
  save: (checkpoint: Checkpoint) => Promise<void>,
): Promise<void> {
  await using writer = openRecoverableWriter('memory://exports/lines/');
  // What the last checkpoint names counts. It is sealed, and published if it is not yet.
  const sealed = last.resumable === undefined ? last.committable : writer.recover(last.resumable);
  if (sealed !== undefined) await writer.commit(sealed);

  // What comes after it goes to a new file.
  let { position } = last;
  if (position === lines.length) return;
  await using file = await writer.open(`from-${String(position)}.txt`);
  for (const line of lines.slice(position)) {
    await file.write(`${line}\n`);
    position += 1;
    if (position % 3 === 0) await save({ position, resumable: await file.persist() });
  }
  const committable = await file.closeForCommit();
  await save({ position, committable });
  await writer.commit(committable);

  // No checkpoint needs the tails any more.
  for (const each of [sealed, committable]) if (each !== undefined) await writer.cleanup(each);
}

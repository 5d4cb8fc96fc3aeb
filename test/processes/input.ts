/** The input of the processes: what is in it is known without running any job. */
export interface Event {
  readonly id: number;
  readonly user: string;
  readonly partition: number;
}

const users = 50;

/** Half of all events are of partition 0, so that there parts fill while other files stay small. */
export function eventOf(id: number): Event {
  const hash = Math.imul(id + 1, 2654435761) >>> 0;
  return { id, user: `user-${hash % users}`, partition: id % 2 === 0 ? 0 : 1 + (hash % 3) };
}

/** The lines of events `from` to `to`. */
export function inputObject(from: number, to: number): Buffer {
  const lines: string[] = [];
  for (let id = from; id < to; id++) lines.push(`${JSON.stringify(eventOf(id))}\n`);
  return Buffer.from(lines.join(''));
}

/** The input of the processes, whose content is known without running a job. */
export interface Event {
  readonly id: number;
  readonly user: string;
  readonly partition: number;
}

const users = 50;

/** Most events are of partition 0, so that there parts fill while other files stay small. */
export function eventOf(id: number): Event {
  const hash = Math.imul(id + 1, 2654435761) >>> 0;
  return { id, user: `user-${hash % users}`, partition: id % 5 === 0 ? 1 + (hash % 3) : 0 };
}

/** So long that a job reads only some hundred at a time. */
const filler = 'x'.repeat(200);

/** The lines of events `from` to `to`. */
export function inputObject(from: number, to: number): Buffer {
  const lines: string[] = [];
  for (let id = from; id < to; id++) lines.push(`${JSON.stringify({ ...eventOf(id), filler })}\n`);
  return Buffer.from(lines.join(''));
}

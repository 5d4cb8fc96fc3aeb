import { gzipSync } from 'node:zlib';

/** One record of every form of the content. */
export interface Visit {
  readonly id: string | number;
  readonly user: string;
  readonly kind: string;
  readonly page: string;
  readonly at: string;
}

const columns = ['id', 'user', 'kind', 'page', 'at'] as const;

const visit = (i: number): Visit => ({
  id: i,
  user: `user-${(i * 7919) % 1000}`,
  kind: i % 4 === 3 ? 'view' : 'click',
  page: `/articles/${(i * 104_729) % 5000}, page ${i % 7}`,
  at: new Date(1_760_000_000_000 + i * 40).toISOString(),
});

/** Files of about `size` bytes: lines of JSON, compressed or not, or rows of CSV, of which one in four needs quotes. */
export function visits(form: string, size: number): Buffer {
  const lines: string[] = form === 'csv' ? [`${columns.join(',')}\n`] : [];
  for (let i = 0, length = 0; length < size; i++) {
    const each = visit(i);
    const page = i % 4 === 0 ? `"${each.page}"` : each.page.replace(',', ';');
    const line =
      form === 'csv'
        ? `${each.id},${each.user},${each.kind},${page},${each.at}\n`
        : `${JSON.stringify(each)}\n`;
    lines.push(line);
    length += line.length;
  }
  const content = Buffer.from(lines.join(''));
  return form === 'gzip' ? gzipSync(content) : content;
}

/** What is done with each record, and the same by all variants. */
export class Tally {
  #records = 0;
  #sum = 0;

  add({ id, user, page }: Visit): void {
    this.#records++;
    this.#sum = (this.#sum + Number(id) + user.length * 31 + page.length * 17) % 0x7fff_ffff;
  }

  get records(): number {
    return this.#records;
  }

  toString(): string {
    return `${this.#records} records, sum ${this.#sum}`;
  }
}

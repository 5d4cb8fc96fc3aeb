const ordinary: Date = Date.prototype;

/**
 * Writes rows as JSON whose values are strings, numbers, bigints, booleans, dates and NULL, as most are. That is several times faster
 * than a general encoder. The function returns `undefined` for other rows.
 */
export function flatRowEncoder(columns: readonly string[]): (row: unknown) => string | undefined {
  const names = [...new Set(columns)];
  const keys = names.map((name) => `${JSON.stringify(name)}:`);
  const dateJson = dateEncoder();
  return (row) => {
    let text = '';
    for (let i = 0; i < names.length; i++) {
      const value = (row as Readonly<Record<string, unknown>>)[names[i] as string];
      let json: string | undefined;
      switch (typeof value) {
        case 'string':
          json = JSON.stringify(value);
          break;
        case 'number':
          json = Number.isFinite(value) ? String(value) : `"${value}"`;
          break;
        case 'bigint':
        case 'boolean':
          json = String(value);
          break;
        case 'undefined':
          continue;
        case 'object':
          json = value === null ? 'null' : value instanceof Date ? dateJson(value) : undefined;
      }
      if (json === undefined) return undefined;
      text += (text === '' ? '{' : ',') + (keys[i] as string) + json;
    }
    return text === '' ? '{}' : `${text}}`;
  };
}

const msOfDay = 24 * 60 * 60 * 1000;
const digits = (count: number): readonly string[] =>
  Array.from({ length: 10 ** count }, (_, number) => String(number).padStart(count, '0'));
const two = digits(2);
const three = digits(3);

/** Writes dates as `JSON.stringify` does. Dates of one day after the other are faster. `undefined`: it is no ordinary or no valid date. */
function dateEncoder(): (date: Date) => string | undefined {
  let day = NaN;
  /** `"2026-01-31T` */
  let start = '';
  return (date) => {
    if (date.toJSON !== ordinary.toJSON || date.toISOString !== ordinary.toISOString) return undefined;
    const time = date.getTime();
    if (Number.isNaN(time)) return undefined;
    const itsDay = Math.floor(time / msOfDay);
    if (itsDay !== day) {
      start = `"${date.toISOString().split('T')[0] ?? ''}T`;
      day = itsDay;
    }
    const ms = time - day * msOfDay;
    const seconds = Math.floor(ms / 1000);
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    const clock = `${two[hours] ?? ''}:${two[minutes % 60] ?? ''}:${two[seconds % 60] ?? ''}`;
    return `${start}${clock}.${three[ms % 1000] ?? ''}Z"`;
  };
}

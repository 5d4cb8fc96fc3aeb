import fc from 'fast-check';
import { decodeHeader, encodeHeader } from '../../src/store/headerText.js';

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

describe('a header is read', () => {
  test.each([
    ['plain.txt', 'plain.txt'],
    ['', ''],
    // Bytes, as Node shows them.
    [latin1('groß.jpg'), 'groß.jpg'],
    [latin1('日本 \u{1f600}'), '日本 \u{1f600}'],
    ['gro\xdf.jpg', 'groß.jpg'],
    ['\x93quoted\x94', '\x93quoted\x94'],
    // Encoded words.
    ['=?UTF-8?Q?gro=C3=9F.jpg?=', 'groß.jpg'],
    ['=?utf-8?q?gro=c3=9f_und_gr=C3=B6=C3=9Fer?=', 'groß und größer'],
    ['=?UTF-8?B?Z3Jvw58uanBn?=', 'groß.jpg'],
    ['=?ISO-8859-1?Q?gro=DF?=', 'groß'],
    ['=?UTF-8*en?Q?a=20b?=', 'a b'],
    ['=?UTF-8?Q?a?= =?UTF-8?Q?b?=', 'ab'],
    ['=?UTF-8?Q?a?= \t =?ISO-8859-1?B?3w==?=', 'aß'],
    ['=?UTF-8?Q?=C3?= =?UTF-8?Q?=9F?=', 'ß'],
    ['a =?UTF-8?Q?b?= c', 'a b c'],
    ['attachment; filename="=?UTF-8?Q?gro=C3=9F.jpg?="', 'attachment; filename="groß.jpg"'],
    // As AWS gives the bytes of ÄMÄZÕÑ back.
    ['=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KR?=', 'ÄMÄZÕÑ'],
    [latin1('=?UTF-8?Q?a?= groß'), 'a groß'],
  ])('%j as %j', (raw, text) => {
    expect(decodeHeader(raw)).toBe(text);
  });

  test.each([
    '=?UTF-8?Q?gro=C3?=',
    '=?UTF-8?Q?gro=C?=',
    '=?UTF-8?Q?a b?=',
    '=?UTF-8?B?!!!!?=',
    '=?no-such-charset?Q?a?=',
    '=?UTF-8?Q?a=0Ab?=',
    '=?UTF-8?Q?a=00?=',
    '=?UTF-8?X?a?=',
    '=??Q?a?=',
    '=?UTF-8?Q?a',
    '=?'.repeat(50_000),
    '=?UTF-8?Q?' + 'a'.repeat(50_000),
  ])('unchanged, if its encoded words are malformed: %#', (raw) => {
    expect(decodeHeader(raw)).toBe(raw);
  });
});

describe('a header is written', () => {
  const text = fc
    .oneof(
      fc.string({ unit: 'grapheme' }),
      fc.string({ unit: 'binary' }),
      fc.string().map(latin1),
      fc.string({ unit: 'grapheme' }).map(latin1),
      fc.string({
        unit: fc.constantFrom('Ã', '¼', '=', '?', 'ß', ' ', '_', 'Q', '\u{1f600}', 'a'),
        maxLength: 300,
      }),
    )
    .filter((value) => !/[\x00-\x08\x0a-\x1f\x7f]|\p{Surrogate}/u.test(value));

  test('as ASCII without blanks around it, in words that are not too long, and round-trips', () => {
    fc.assert(
      fc.property(text, (value) => {
        const sent = encodeHeader(value);
        expect(sent).toMatch(/^(?:[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)?$/);
        // What is ASCII goes as it is, so that encoded words of the caller's own are what they are.
        if (sent === value) return;
        for (const word of sent.split(' ')) expect(word.length).toBeLessThanOrEqual(75);
        expect(decodeHeader(sent)).toBe(value);
      }),
      { numRuns: 2000 },
    );
  });

  test('as short as possible', () => {
    expect(encodeHeader('groß.jpg')).toBe('=?UTF-8?B?Z3Jvw58uanBn?=');
    expect(encodeHeader('groß und klein')).toBe('=?UTF-8?Q?gro=C3=9F_und_klein?=');
    expect(encodeHeader('日本')).toBe('=?UTF-8?B?5pel5pys?=');
    expect(encodeHeader(' a ')).toBe('=?UTF-8?Q?_a_?=');
    expect(encodeHeader('a  b')).toBe('a  b');
    expect(encodeHeader('=?UTF-8?Q?a?=')).toBe('=?UTF-8?Q?a?=');
  });
});

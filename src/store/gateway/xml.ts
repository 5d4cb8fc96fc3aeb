import { GatewayError } from './errors.js';

/** Content of an element: text, elements by name (a list repeats the name), or nothing. */
export type Xml = string | number | boolean | undefined | { readonly [name: string]: Xml | readonly Xml[] };

const namespace = 'http://s3.amazonaws.com/doc/2006-03-01/';

/** A whole document. */
export function document(root: string, content: Xml, space = namespace): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="${space}">${inner(content)}</${root}>`;
}

/** S3's error documents have no namespace. */
export function errorDocument(content: Xml): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${inner(content)}</Error>`;
}

function inner(content: Xml | readonly Xml[]): string {
  if (content === undefined) return '';
  if (typeof content !== 'object') return escape(String(content));
  return Object.entries(content as Record<string, Xml | readonly Xml[]>)
    .map(([name, value]) => {
      const items: readonly Xml[] = Array.isArray(value) ? (value as readonly Xml[]) : [value as Xml];
      return items.map((item) => (item === undefined ? '' : `<${name}>${inner(item)}</${name}>`)).join('');
    })
    .join('');
}

const entities: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&quot;'],
]);

/** Control characters become references, as S3 sends them, although XML 1.0 forbids most. */
function escape(text: string): string {
  return text.replace(/[&<>"\u0000-\u001f\u007f\u0085\u2028\ufffe\uffff]/g, (c) => {
    return entities.get(c) ?? `&#x${c.charCodeAt(0).toString(16)};`;
  });
}

/** An element of a parsed request body. */
export interface XmlElement {
  readonly name: string;
  readonly children: XmlElement[];
  text: string;
}

const token =
  /<!\[CDATA\[([\s\S]*?)\]\]>|<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<(\/?)([A-Za-z_][\w.-]*)((?:\s[^<>]*?)?)(\/?)>|([^<]+)/gy;

/**
 * Parses the documents that S3 clients send: elements and text. Attributes are skipped; document types are refused, and so
 * all entities except XML's five. Throws `MalformedXML`.
 */
export function parseXml(text: string): XmlElement {
  const top: XmlElement = { name: '', children: [], text: '' };
  const open = [top];
  token.lastIndex = 0;
  let position = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    position = token.lastIndex;
    const [, cdata, close, name, , empty, plain] = match;
    const current = open.at(-1) ?? top;
    if (cdata !== undefined) current.text += cdata;
    else if (plain !== undefined) current.text += unescape(plain);
    else if (name !== undefined && close === '/') {
      if (open.pop()?.name !== name || open.length === 0) throw malformedXml();
    } else if (name !== undefined) {
      const element = { name, children: [], text: '' };
      current.children.push(element);
      if (empty !== '/') open.push(element);
    }
  }
  const [root] = top.children;
  if (position !== text.length || open.length !== 1 || root === undefined || top.children.length > 1)
    throw malformedXml();
  return root;
}

/** The text of a child; `undefined` without one. */
export function childText(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

const references: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function unescape(text: string): string {
  return text.replace(
    /&(?:#x([0-9a-f]{1,6})|#(\d{1,7})|([a-z]+));|&/gi,
    (_, hex?: string, decimal?: string, name?: string) => {
      const named = name === undefined ? undefined : references.get(name);
      if (named !== undefined) return named;
      const code = hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal);
      if (!(code <= 0x10ffff)) throw malformedXml();
      return String.fromCodePoint(code);
    },
  );
}

export function malformedXml(): GatewayError {
  return new GatewayError(
    400,
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema.',
  );
}

import mime from 'mime';
import type { ContentHeaders } from '../../store/objectStore.js';

/** The content type that a key's extension stands for; `undefined` if for none. */
export function contentTypeOf(key: string): string | undefined {
  return mime.getType(key) ?? undefined;
}

/** The headers given, with a type by the key's extension if they name none. */
export function describedContent(
  key: string,
  content: ContentHeaders | undefined,
): { readonly content?: ContentHeaders } {
  const type = content?.type ?? contentTypeOf(key);
  if (type !== undefined) return { content: { ...content, type } };
  return content === undefined ? {} : { content };
}

import mime from 'mime';
import type { ContentHeaders } from '../../store/objectStore.js';

/** The given content headers, with a default type by the key's extension. */
export function describedContent(
  key: string,
  content: ContentHeaders | undefined,
): { readonly content?: ContentHeaders } {
  const type = content?.type ?? mime.getType(key) ?? undefined;
  if (type !== undefined) return { content: { ...content, type } };
  return content === undefined ? {} : { content };
}

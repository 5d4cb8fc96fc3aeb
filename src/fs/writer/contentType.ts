import mime from 'mime';
import type { ContentHeaders } from '../../store/objectStore.js';

/** The headers given, with a type by the key's extension if they name none. */
export function describedContent(
  key: string,
  content: ContentHeaders | undefined,
): { readonly content?: ContentHeaders } {
  const type = content?.type ?? mime.getType(key) ?? undefined;
  if (type !== undefined) return { content: { ...content, type } };
  return content === undefined ? {} : { content };
}

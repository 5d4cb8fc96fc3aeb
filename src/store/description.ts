import { StoreError } from './errors.js';
import type { ContentHeaders, ObjectDescription, Metadata, Tags } from './objectStore.js';

/** A copy of the description in some options, without the rest of them. */
export function descriptionOf(options: ObjectDescription): ObjectDescription {
  const { storageClass } = options;
  return { ...inherited(options), ...(storageClass !== undefined && { storageClass }) };
}

/** What a copy of an object has from it. As on S3, that does not include the storage class. */
export function inherited({ metadata, content, tags }: ObjectDescription): ObjectDescription {
  return {
    ...(metadata !== undefined && { metadata: { ...metadata } }),
    ...(content !== undefined && { content: { ...content } }),
    ...(tags !== undefined && { tags: { ...tags } }),
  };
}

/** Throws `InvalidRequest` if no store could keep it. */
export function checkDescription({ metadata, content, tags, storageClass }: ObjectDescription): void {
  checkMetadata(metadata);
  checkContent(content);
  const wrong = wrongTags(tags);
  if (wrong !== undefined) throw new StoreError('InvalidRequest', `${wrong}.`);
  if (storageClass !== undefined && !isStorageClass(storageClass))
    throw new StoreError(
      'InvalidRequest',
      `"${storageClass}" is not a storage class: use a name of the server's, such as STANDARD_IA.`,
    );
}

export function hasTags(tags: Tags | undefined): tags is Tags {
  return tags !== undefined && Object.keys(tags).length > 0;
}

/** Whether a server could have a storage class of this name. */
export function isStorageClass(name: string): boolean {
  return /^[\x21-\x7e]{1,128}$/.test(name);
}

/** Why S3 would reject the tags; `undefined` if it would not. */
export function wrongTags(tags: Tags = {}): string | undefined {
  const entries = Object.entries(tags);
  if (entries.length > 10) return `An object has at most 10 tags, not ${entries.length}`;
  for (const [name, value] of entries) {
    if (name === '' || name.length > 128 || !isTag(name))
      return `Tag "${name.slice(0, 200)}" cannot be stored: a name has 1 to 128 letters, digits, spaces and + - = . _ : / @`;
    if (name.startsWith('aws:'))
      return `Tag "${name}" cannot be stored: names that start with aws: are reserved`;
    if (value.length > 256 || !isTag(value))
      return `The value of tag "${name}" cannot be stored: it has at most 256 letters, digits, spaces and + - = . _ : / @`;
  }
  return undefined;
}

function isTag(text: string): boolean {
  return /^[\p{L}\p{N}\p{Zs}+\-=._:/@]*$/u.test(text);
}

/** Throws `InvalidRequest` unless names are lower-case HTTP header names, and values Unicode without control characters. */
function checkMetadata(metadata: Metadata | undefined): void {
  for (const [name, value] of Object.entries(metadata ?? {})) {
    if (!/^[a-z0-9!#$%&'*+.^_`|~-]*$/.test(name) || !isText(value)) {
      throw new StoreError(
        'InvalidRequest',
        `Metadata "${name}" cannot be stored: use a lower-case ASCII name, and a value without control characters.`,
      );
    }
  }
}

/** Throws `InvalidRequest` unless values are Unicode without control characters and surrounding spaces. */
function checkContent(content: ContentHeaders | undefined): void {
  for (const [name, value] of Object.entries(content ?? {}) as [string, string | undefined][]) {
    if (value !== undefined && (/^$|^[ \t]|[ \t]$/.test(value) || !isText(value))) {
      throw new StoreError(
        'InvalidRequest',
        `The content header "${name}" is empty, or has blanks around it or control characters: remove it, or change its value.`,
      );
    }
  }
}

/** Whether an HTTP header can represent the value, possibly encoded. */
function isText(value: string): boolean {
  return !/[\x00-\x08\x0a-\x1f\x7f]|\p{Surrogate}/u.test(value);
}

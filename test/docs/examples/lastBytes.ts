import { openObject } from 'millrace/stores';

/** The last bytes of an object, by one HEAD and one GET. */
export async function lastBytes(uri: string, count: number): Promise<Uint8Array> {
  await using object = await openObject(uri);
  const { bytesRead, buffer } = await object.read(Buffer.alloc(count), Math.max(0, object.size - count));
  return buffer.subarray(0, bytesRead);
}

import type { FileManifest, LatestManifest, ManifestFile } from 'millrace';
import { readdir, readFile } from 'millrace/fs';

/**
 * The files that a sink has published since the manifest `after`, and the name of the newest manifest.
 *
 * @param folder of its manifests: `s3://lake/visits/_manifests/out/<job id>`
 */
export async function newFiles(
  folder: string,
  after = '',
): Promise<{ readonly files: readonly ManifestFile[]; readonly newest: string }> {
  const json = async <T>(name: string): Promise<T> =>
    JSON.parse(await readFile(`${folder}/${name}`, 'utf8')) as T;
  const { manifest: newest } = await json<LatestManifest>('latest.json');
  const names = (await readdir(folder)).filter((name) => name > after && name <= newest).sort();
  const manifests = await Promise.all(names.map((name) => json<FileManifest>(name)));
  return { files: manifests.flatMap(({ files }) => files), newest };
}

import type { Objects } from '../places/objects.js';
import type { ScannedFile } from '../places/scan.js';
import type { Shown } from '../model/work.js';
import { newByteCount } from './byte-count.js';
import { workOn } from './hash.js';
import { startOnObjects } from './hash-objects.js';
import type { Survey, SurveyOptions } from './survey.js';
import { openThreads } from './threads.js';

type Wanted = ScannedFile & { readonly survey: SurveyOptions };

/** Looks at the members of archives in a bucket. Rejects if the store does not answer. */
export async function surveyObjects(
  files: readonly Wanted[],
  { read, concurrency }: Objects,
  { progress }: Shown,
): Promise<readonly Survey[]> {
  const threads = openThreads();
  const counted = newByteCount();
  const tasks = files.map(({ path, identity, survey }, index) => {
    return { path, size: Number(identity.size), index, md5: false, metadata: false, survey };
  });
  let done = 0;
  progress(workOn('looking into', files, { counted, done: () => done }));
  try {
    const work = { inspect: 'none', secrets: false, counted } as const;
    const started = startOnObjects<Survey>(
      files,
      { tasks, work, read, concurrency, threads },
      () => (done += 1),
    );
    return await started.finish();
  } finally {
    progress(null);
    threads.stop();
  }
}

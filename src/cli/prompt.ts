import { createInterface } from 'node:readline';
import type { Outside } from './streams.js';

export interface Prompt {
  readonly prompt: string;
  /** Whether what is typed stays invisible. */
  readonly isHidden: boolean;
}

/**
 * A line typed at the terminal; null where the input ends before there is one, as by Ctrl-D. Ctrl-C interrupts the program:
 * while a line is read, the terminal hands it to us as a key.
 */
export async function readTyped(
  { stdin, stderr, interrupt }: Outside,
  { prompt, isHidden }: Prompt,
): Promise<string | null> {
  // A stream that has ended says so once.
  if (!stdin.readable) return null;
  return await new Promise((resolve, reject) => {
    let typed: string | null = null;
    const lines = createInterface({
      input: stdin,
      // Without an output nothing is echoed.
      ...(isHidden ? {} : { output: stderr }),
      terminal: true,
      historySize: 0,
    });
    lines.on('line', (line) => {
      typed ??= line;
      lines.close();
    });
    lines.on('close', () => {
      // The return key is echoed with the line; a hidden line, Ctrl-C and Ctrl-D leave the cursor where it is.
      if (isHidden || typed === null) stderr.write('\n');
      resolve(typed);
    });
    lines.on('SIGINT', () => {
      // The terminal gets back its modes before the program ends.
      lines.close();
      interrupt();
    });
    lines.on('error', reject);
    // The terminal echoes nothing by itself from here on: not before, lest a fast typist's passphrase shows.
    lines.setPrompt(prompt);
    if (isHidden) stderr.write(prompt);
    else lines.prompt();
  });
}

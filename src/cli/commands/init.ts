import { PacksignError, checkInit, init } from '../../index.js';
import type { InitAnswers } from '../../index.js';
import type { Command } from '../command.js';
import { flag, single } from '../option.js';
import type { Takes } from '../option.js';
import { DIRECTORY, isSet, textOf } from '../options.js';
import type { Values } from '../options.js';
import { reportInit } from '../report.js';
import { readTyped } from '../prompt.js';
import { canAsk } from '../streams.js';
import type { Outside } from '../streams.js';

/** Option, answer, the question for the user, and what the option takes. */
const QUESTIONS = [
  ['maintainer', 'maintainer', 'maintainer, as NAME <ADDRESS>', 'TEXT'],
  ['description', 'description', 'description of the database', 'TEXT'],
  ['base-url', 'baseUrl', 'address where the files can be fetched', 'ADDRESS'],
  ['database-url', 'databaseUrl', 'address of the database itself', 'ADDRESS'],
  ['key', 'key', 'key that signs', 'KEY'],
] as const satisfies readonly (readonly [string, keyof InitAnswers, string, Takes])[];

export const initCommand: Command = {
  examples: [['packsign init dist --maintainer "Ada <ada@example.org>"', 'write dist/packsign.json']],
  positionals: DIRECTORY,
  options: {
    ...Object.fromEntries(QUESTIONS.map(([name, , question, takes]) => [name, single(takes, question)])),
    force: flag('overwrite the file'),
  },
  run: async (values, { outside }) => {
    const directory = textOf(values, 'directory') ?? '.';
    const force = isSet(values, 'force');
    checkInit(directory, { force });
    const answers = await answersFor(values, outside);
    return reportInit(init(directory, answers, { force }), answers.key === null ? null : 'Key');
  },
};

async function answersFor(values: Values, outside: Outside): Promise<InitAnswers> {
  const answers: Record<string, string | null> = {};
  for (const [name, key, question] of QUESTIONS) {
    const given = textOf(values, name);
    const answer = given ?? (canAsk(outside) ? await askFor(question, { name, outside }) : '');
    answers[key] = answer === '' ? null : answer;
  }
  return answers as unknown as InitAnswers;
}

async function askFor(
  question: string,
  { name, outside }: { name: string; outside: Outside },
): Promise<string> {
  const typed = await readTyped(outside, { prompt: `${question} (empty for none): `, isHidden: false });
  if (typed !== null) return typed;
  throw new PacksignError('USAGE', `the input ended before an answer: ${question}`, {
    hint: `nothing was written; press return for none, or answer beforehand with --${name}`,
  });
}

import { CI_SERVICES, PacksignError, checkInit, init, initCi } from '../../index.js';
import type { InitAnswers, WorkflowAnswers } from '../../index.js';
import type { Command } from '../command.js';
import { choice, flag, single } from '../option.js';
import type { Takes } from '../option.js';
import { DIRECTORY, isSet, textOf } from '../options.js';
import type { Values } from '../options.js';
import { reportInit, reportInitCi } from '../report.js';
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
  examples: [
    ['packsign init dist --maintainer "Ada <ada@example.org>"', 'write dist/packsign.json'],
    ['packsign init --ci github', 'write a workflow that signs and publishes each release'],
  ],
  positionals: DIRECTORY,
  options: {
    ...Object.fromEntries(QUESTIONS.map(([name, , question, takes]) => [name, single(takes, question)])),
    ci: choice(CI_SERVICES, 'write a workflow for this service instead'),
    force: flag('overwrite the file'),
  },
  run: async (values, { outside }) => {
    const directory = textOf(values, 'directory') ?? '.';
    const force = isSet(values, 'force');
    const service = CI_SERVICES.find((name) => name === textOf(values, 'ci'));
    if (service !== undefined)
      return reportInitCi(initCi(service, workflowAnswers(directory, values), { force }));
    checkInit(directory, { force });
    const answers = await answersFor(values, outside);
    return reportInit(init(directory, answers, { force }), answers.key === null ? null : 'Key');
  },
};

/** A workflow signs the new files alone, and not the whole checkout, which is the current folder. */
function workflowAnswers(directory: string, values: Values): WorkflowAnswers {
  const needless = QUESTIONS.map(([name]) => name).find(
    (name) => name !== 'base-url' && textOf(values, name) !== null,
  );
  if (needless !== undefined) {
    throw new PacksignError(
      'USAGE',
      `--${needless} is for packsign.json, and --ci writes only the workflow`,
      {
        hint: `leave out --${needless}`,
      },
    );
  }
  return { directory: directory === '.' ? null : directory, baseUrl: textOf(values, 'base-url') };
}

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

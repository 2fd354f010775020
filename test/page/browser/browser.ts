import { execFileSync } from 'node:child_process';
import axe from 'axe-core';
import type { AxeResults } from 'axe-core';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { serve } from '../../../src/index.js';
import type { RunningServer } from '../../../src/index.js';
import { hasTool } from '../../tools.js';

/** Options that keep the browser from its own requests. */
const ARGUMENTS = [
  '--disable-gpu',
  '--in-process-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // A name outside loopback, where browsers treat plain http as insecure.
  '--host-resolver-rules=MAP plain.test 127.0.0.1',
];

export const hasBrowser = hasTool('chromium');

/** A page in the browser, and its errors. */
export interface Visit {
  readonly page: Page;
  readonly url: string;
  /** Errors of the console and of scripts, and violations of the page's policy. */
  readonly complaints: readonly string[];
  /** The addresses of all requests. */
  readonly requests: readonly string[];
}

export interface VisitOptions extends BrowserContextOptions {
  /** Query or fragment after the address of the page. */
  readonly fragment?: string;
  /** The address of the page, if not that of packsign's server for the directory. */
  readonly url?: string;
}

let browser: Browser;
/** For visits without options. Each has an address of its own, so they share nothing that a page could see. */
let plain: BrowserContext;
const servers: RunningServer[] = [];

/** Starts the browser for the tests of a file. */
export function useBrowser(): void {
  beforeAll(async () => {
    const executablePath = execFileSync('sh', ['-c', 'command -v chromium'], { encoding: 'utf8' }).trim();
    const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
    browser = await chromium.launch({ executablePath, args: [...ARGUMENTS, ...root] });
    plain = await browser.newContext();
  });
  // Pages that stay open keep the browser busy.
  afterEach(async () => {
    const others = browser.contexts().filter((context) => context !== plain);
    await Promise.all([...plain.pages(), ...others].map((open) => open.close()));
  });
  afterAll(async () => {
    await browser.close();
    await Promise.all(servers.splice(0).map((server) => server.close()));
  });
}

export async function serveLocally(directory: string, { live = false } = {}): Promise<RunningServer> {
  const server = await serve(directory, { host: '127.0.0.1', port: 0, live });
  servers.push(server);
  return server;
}

export async function visit(directory: string, options: VisitOptions = {}): Promise<Visit> {
  const { fragment = '', url: given, ...contextOptions } = options;
  const url = given ?? (await serveLocally(directory)).url;
  const isPlain = Object.keys(contextOptions).length === 0;
  const context = isPlain ? plain : await browser.newContext(contextOptions);
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => complaints.push('a dialog that stays'));
  });
  page.on('request', (request) => requests.push(request.url()));
  // Playwright sets itself before the browser's own dialog only some time after somebody has asked for the event.
  page.on('filechooser', () => undefined);
  await page.goto(`${url}${fragment}`);
  return { page, url, complaints, requests };
}

/** The final verdict on the page. */
export async function verdictOf({ page }: Visit): Promise<{ state: string; title: string; text: string }> {
  await page.waitForFunction(
    () =>
      document.documentElement.dataset['check'] !== 'running' &&
      !document.getElementById('check-title')!.textContent.startsWith('Not checked by'),
  );
  return await page.evaluate(() => ({
    state: document.documentElement.dataset['check'] ?? '',
    title: document.getElementById('check-title')!.textContent,
    text: document.getElementById('check-text')!.textContent,
  }));
}

/** Violations of WCAG 2.2 AA that axe-core finds: each rule with the first element that breaks it. */
export async function accessibilityOf({ page }: Visit): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(async () => {
    const { axe: injected } = globalThis as unknown as {
      axe: { run: (where: Document, how: object) => Promise<AxeResults> };
    };
    const values = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
    return await injected.run(document, { runOnly: { type: 'tag', values } });
  });
  return violations.map(
    ({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''} ${nodes[0]?.failureSummary ?? ''}`,
  );
}

export async function expectQuiet({ complaints, requests, url }: Visit): Promise<void> {
  expect(complaints).toEqual([]);
  expect(requests.filter((address) => !address.startsWith(url))).toEqual([]);
  await Promise.resolve();
}

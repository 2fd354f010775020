import { Eta } from 'eta';

/** Fills a template in; whatever it prints with `<%=` is escaped for HTML (threat T18). */
export function fillTemplate(template: string, view: object): string {
  return new Eta({ autoEscape: true, autoTrim: [false, 'nl'] }).renderString(template, view);
}

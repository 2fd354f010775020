import { Eta } from 'eta';

/** Fills in a template; `<%=` escapes text for HTML (threat T18). */
export function fillTemplate(template: string, view: object): string {
  return new Eta({ autoEscape: true, autoTrim: [false, 'nl'] }).renderString(template, view);
}

// The load test: leave requests of many companies. One set of questions, asked of both engines, with the answers that both must give.
// After the shape of Cerbos' own load test: per company derived roles, a principal's policy, five policies of one kind over versions
// and scopes, one of another kind; requests of 10 and 11 decisions.

export const pad = (unit: number): string => String(unit).padStart(5, '0');
/** Policies of one company, in both engines. */
export const POLICIES_PER_UNIT = 9;
export const EMPLOYEE = 'usr_john';

export interface Asked {
  readonly kind: 'leave_request' | 'salary_record';
  readonly id: string;
  readonly owner: string;
  readonly department: string;
  readonly team: string;
  readonly geography: string;
  /** '' = the version of 2021, outside of all scopes. */
  readonly scope: string;
  readonly actions: readonly string[];
  readonly allowed: readonly boolean[];
}

export interface Page {
  readonly asked: readonly Asked[];
  /** What is known of who asks. */
  readonly principal: Readonly<Record<string, string>>;
}

const leave = (id: string, [owner, department, team, geography]: readonly [string, string, string, string], scope = ''): Asked => ({
  kind: 'leave_request',
  id,
  owner,
  department,
  team,
  geography,
  scope,
  actions: ['view_public', 'approve'],
  allowed: [true, false],
});

const own = [EMPLOYEE, 'marketing', 'design', 'GB'] as const;
const jenny = ['usr_jenny', 'engineering', 'backend', 'GB'] as const;
const principal = { department: 'marketing', geography: 'GB', team: 'design' };

/** What one company's employee asks for: 10 decisions, and 11. */
export const PAGES: readonly Page[] = [
  {
    principal,
    asked: [
      leave('XX125', own),
      leave('YY125', jenny),
      leave('ZZ125', ['usr_dani', 'finance', 'accounting', 'GB']),
      leave('AA125', ['usr_robert', 'finance', 'accounting', 'GB']),
      leave('BB125', ['usr_anya', 'engineering', 'sre', 'US']),
    ],
  },
  {
    principal: { ...principal, ip_address: '10.20.5.5' },
    asked: [
      { ...leave('XX125', own, 'acme.hr.uk'), actions: ['view_public', 'delete', 'create'], allowed: [true, true, true] },
      { ...leave('XX225', own, 'acme.hr'), actions: ['view_public', 'delete', 'create'], allowed: [true, false, true] },
      leave('YY125', jenny, 'acme.hr.uk'),
      {
        ...leave('YY525', ['usr_mark', 'engineering', 'backend', 'GB']),
        kind: 'salary_record',
        actions: ['view_public', 'delete', 'edit'],
        allowed: [false, false, false],
      },
    ],
  },
];

export const DECISIONS = PAGES.map(({ asked }) => asked.reduce((sum, { actions }) => sum + actions.length, 0));

/** Answers in the order of the questions. */
export const requireAnswers = (who: string, page: number, got: readonly boolean[]): void => {
  const want = (PAGES[page] as Page).asked.flatMap(({ allowed }) => allowed);
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${who} answers ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);
};

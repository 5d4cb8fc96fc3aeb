import { keyed, valueState, type Flow, type Serializer } from 'millrace';

export interface Payment {
  readonly account: string;
  readonly cents: number;
}

export class Money {
  constructor(
    readonly cents: number,
    readonly currency: string,
  ) {}
}

/** Writes `120 EUR`. Version 1 wrote `120`, and meant euros. */
const money: Serializer<Money> = {
  id: 'money',
  version: 2,
  encode: ({ cents, currency }) => Buffer.from(`${cents} ${currency}`),
  decode: (bytes, version) => {
    const [cents = '', currency = ''] = Buffer.from(bytes).toString().split(' ');
    return new Money(Number(cents), version === 1 ? 'EUR' : currency);
  },
};

/** The balance of each account, including those that are stored with version 1. */
export const balances = (payments: Flow<Payment>) =>
  payments.pipe(
    keyed('balances', {
      key: ({ account }) => account,
      state: { balance: valueState(new Money(0, 'EUR'), { serializer: money }) },
      onRecord: ({ account, cents }, { balance }) => {
        const { cents: sum, currency } = balance.update((now) => new Money(now.cents + cents, now.currency));
        return [{ account, balance: `${sum} ${currency}` }];
      },
    }),
  );

// The gRPC transport's slice of the configuration: who is let in, how many at a time, and how it leaves.
import { integer, secondsField, text } from '../config/field.ts';

export const grpcConfig = {
  tlsCaPath: text('TLS_CA_PATH', {
    hint: 'path',
    doc: 'PEM bundle that client certificates are checked against, with TLS_CERT_PATH. Empty: our own authority.',
  }),
  maxInFlight: integer('MAX_IN_FLIGHT', {
    default: '4000',
    min: 10,
    max: 1_000_000,
    doc: 'Calls that may wait for something at the same time; beyond it RESOURCE_EXHAUSTED. Slow classes get a part of it, so that verdicts always find room.',
  }),
  maxStreams: integer('MAX_STREAMS', {
    default: '2000',
    min: 1,
    max: 1_000_000,
    doc: 'Streaming calls that may be open at the same time.',
  }),
  maxStreamsPerCaller: integer('MAX_STREAMS_PER_CALLER', {
    default: '500',
    min: 1,
    max: 1_000_000,
    doc: 'Of these, those of one caller (of one address, where nobody says who it is). All replicas of a service are one caller.',
  }),
  maxConnections: integer('MAX_CONNECTIONS', {
    default: '10000',
    min: 1,
    max: 1_000_000,
    doc: 'Connections that may be open at the same time, on the gRPC port and on GRPC_SOCKET each.',
  }),
  shedLag: integer('SHED_LAG_MILLISECONDS', {
    default: '200',
    min: 0,
    max: 60_000,
    doc: 'Sustained event-loop lag at which streams are refused; at multiples of it issuing, batches, encryption, checks and at last verdicts. 0 refuses nothing.',
  }),
  drainDelay: secondsField('DRAIN_DELAY_SECONDS', {
    default: '0',
    min: 0,
    max: 120,
    doc: 'After SIGTERM: how long we go on answering while reporting not ready, so that balancers notice.',
  }),
  drain: secondsField('DRAIN_SECONDS', {
    default: '15',
    min: 0,
    max: 600,
    doc: 'After that: how long calls under way may take to finish.',
  }),
};

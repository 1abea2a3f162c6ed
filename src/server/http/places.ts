// Places on the side port: where all are taken, whoever has not said all it wants makes room, so that nobody keeps others out by sitting there.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';

interface Place {
  readonly socket: Socket;
  /** The request under way. */
  message: IncomingMessage | null;
}

/** The same for a TLS socket and the one below it. */
const nameOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress ?? ''} ${remotePort ?? 0}`;

/** A request that is here is answered; one that is still coming in counts no more than none. */
const isBusy = ({ message }: Place): boolean => message?.complete === true;

/** Of more than `most` connections the one goes that has been quiet for longest; where all are busy, the one that comes. */
export const limitPlaces = (server: Server, most: number): void => {
  // By what they last did, the longest ago first.
  const places = new Map<string, Place>();

  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    const place: Place = { socket, message: null };
    places.set(name, place);
    socket.once('close', () => places.get(name) === place && places.delete(name));
    if (places.size <= most) return;
    for (const [quiet, one] of places) {
      if (isBusy(one)) continue;
      places.delete(quiet);
      one.socket.destroy();
      return;
    }
  });

  server.on('request', (message, response) => {
    const name = nameOf(message.socket);
    const place = places.get(name);
    if (place === undefined) return;
    place.message = message;
    response.once('close', () => {
      place.message = null;
      if (places.delete(name)) places.set(name, place);
    });
  });
};

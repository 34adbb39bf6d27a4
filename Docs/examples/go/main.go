// A PushRing client and a pushing backend in Go.
//
//	pushring-go session --endpoint HOST:PORT[,HOST:PORT...] --user alice [--session phone] [--count 1]
//	pushring-go push --sender HOST:PORT --user alice --message hello
//
// Both print JSON lines. ./build builds it; ../README.md tells more.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"

	pb "example.com/pushring/v1"
)

func main() {
	commands := map[string]func(context.Context, []string) error{"session": session, "push": push}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: pushring-go session|push [flags]; -h after either lists them")
		os.Exit(2)
	}
	rand.Seed(time.Now().UnixNano())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := commands[os.Args[1]](ctx, os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func session(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("session", flag.ExitOnError)
	endpoint := flags.String("endpoint", "", "HOST:PORT[,HOST:PORT...] of any pods")
	user := flags.String("user", "", "whom the session belongs to")
	name := flags.String("session", "", "this device's name, the same each time")
	count := flags.Int("count", 0, "end after so many messages; 0: never")
	flags.Parse(arguments)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received := 0
	client := &Session{
		User:      *user,
		ID:        *name,
		Endpoints: strings.Split(*endpoint, ","),
		OnEvent: func(event Event) {
			print(event)
			if event.Event == "message" {
				if received++; received == *count {
					cancel()
				}
			}
		},
	}
	err := client.Run(ctx)
	if ctx.Err() != nil {
		return nil // Asked to stop.
	}
	return err
}

func push(ctx context.Context, arguments []string) error {
	flags := flag.NewFlagSet("push", flag.ExitOnError)
	sender := flags.String("sender", "", "HOST:PORT of a Sender")
	user := flags.String("user", "", "whom to push to")
	message := flags.String("message", "", "the text to push")
	flags.Parse(arguments)

	connection, err := grpc.DialContext(ctx, *sender, grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request := &pb.PushRequest{UserId: *user, Payload: []byte(*message)}
	result, err := pb.NewPushesClient(connection).Push(ctx, request)
	if err != nil {
		return err
	}
	results := []map[string]string{}
	for _, outcome := range result.Results {
		results = append(results, map[string]string{
			"session": outcome.SessionId, "pod": outcome.PodId, "outcome": outcome.Outcome.String(),
		})
	}
	print(map[string]interface{}{
		"user": result.UserId, "route": result.Route.String(), "completeness": result.Completeness.String(),
		"deliverRPCs": result.DeliverRpcs, "registryReads": result.RegistryReads, "results": results,
	})
	return nil
}

func print(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err) // Only strings and numbers come here.
	}
	fmt.Println(string(line))
}

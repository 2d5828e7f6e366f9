// Calls the shop through the gateway with C++ gRPC: TARGET and KEY are its arguments, a line says what each call heard.

#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include <grpcpp/grpcpp.h>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "shop.grpc.pb.h"

using polyglot::v1::Item;

namespace {

std::string key;

void prepare(grpc::ClientContext& context, std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  context.set_deadline(std::chrono::system_clock::now() + patience);
  if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
}

Item named(const std::string& name, std::int64_t price = 0) {
  Item item;
  item.set_name(name);
  item.set_price_cents(price);
  return item;
}

// The code, the message, and the reason that the details give.
void tell(const std::string& what, const grpc::Status& status) {
  std::cout << what << " " << status.error_code() << " " << status.error_message();
  google::rpc::Status full;
  full.ParseFromString(status.error_details());
  for (const auto& detail : full.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info)) std::cout << " reason=" << info.reason() << " domain=" << info.domain();
  }
  std::cout << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  auto shop = polyglot::v1::Shop::NewStub(grpc::CreateChannel(arguments[1], grpc::InsecureChannelCredentials()));
  Item answer;
  {
    grpc::ClientContext context;
    prepare(context);
    tell("stranger", shop->Price(&context, named("tea"), &answer));
  }
  key = arguments[2];
  {
    grpc::ClientContext context;
    prepare(context);
    auto status = shop->Price(&context, named("tea"), &answer);
    std::cout << "price " << answer.name() << " " << answer.price_cents() << std::endl;
    tell("price", status);
  }
  {
    grpc::ClientContext context;
    prepare(context);
    tell("nameless", shop->Price(&context, named(""), &answer));
  }
  {
    grpc::ClientContext context;
    prepare(context);
    auto writer = shop->Sum(&context, &answer);
    for (int price : {1, 2, 4}) writer->Write(named("", price));
    writer->WritesDone();
    auto status = writer->Finish();
    std::cout << "sum " << answer.price_cents() << std::endl;
    tell("sum", status);
  }
  {
    grpc::ClientContext context;
    prepare(context);
    auto talk = shop->Chat(&context);
    for (const char* word : {"a", "b"}) {
      // The next is said when the one before was answered.
      talk->Write(named(word));
      if (talk->Read(&answer)) std::cout << "chat " << answer.name() << std::endl;
    }
    talk->WritesDone();
    tell("chat", talk->Finish());
  }
  {
    grpc::ClientContext context;
    prepare(context, std::chrono::milliseconds(500));
    auto reader = shop->Watch(&context, named("tea"));
    while (reader->Read(&answer)) std::cout << "watch " << answer.name() << std::endl;
    tell("watch", reader->Finish());
  }
  {
    grpc::ClientContext context;
    prepare(context);
    auto reader = shop->Watch(&context, named("tea"));
    if (reader->Read(&answer)) std::cout << "cancelled " << answer.name() << std::endl;
    context.TryCancel();
    while (reader->Read(&answer)) {
    }
    tell("cancelled", reader->Finish());
  }
}

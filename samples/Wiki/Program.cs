// A small wiki. Pages, their history and uploads are files under one directory; users, sessions and the list of edits are in a SQLite database beside them.
//   wiki --root DIR --urls http://127.0.0.1:8080
using Wiki.Pages;
using Wiki.Storage;
using Wiki.Uploads;
using Wiki.Users;
using Wiki.Web;

// Settings lie beside the program; the directory it is started in may be a large one, and is not watched.
var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(4));
builder.Services.ConfigureHttpJsonOptions(options => options.SerializerOptions.TypeInfoResolverChain.Insert(0, WikiJson.Default));
builder.Services
    .AddSingleton(TimeProvider.System)
    .AddSingleton(WikiRoot.Open(builder.Configuration["root"] ?? "wiki-data"))
    .AddSingleton<Database>()
    .AddSingleton<PageStore>()
    .AddSingleton<EditLog>()
    .AddSingleton<ViewCounter>()
    .AddHostedService(services => services.GetRequiredService<ViewCounter>())
    .AddSingleton<UserStore>()
    .AddSingleton<SessionStore>()
    .AddSingleton<UploadStore>();

var app = builder.Build();
app.UseSafeHeaders();
app.UseReadableErrors();
app.MapHealth();
app.MapStyle();
app.MapPages();
app.MapPageApi();
app.MapUsers();
app.MapUploads();

app.Services.GetRequiredService<Database>().Prepare();
app.Run();

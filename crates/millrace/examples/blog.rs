//! A blog, as a program of its own with six concepts: aggregate, command, event, rejection,
//! projection, policy. `docs/library.md` explains it; the Avro schemas stand beside it, in `blog/`.
#![expect(clippy::enum_variant_names, reason = "they stand alone in topics")]

use std::process::ExitCode;

use millrace::eventsourcing::{
    Aggregate, Column, Context, Decision, EventEnvelope, FollowUp, Order, PlainRejection, Policy,
    Projection, Row, Schemas, Stamp, Table,
};
use serde::{Deserialize, Serialize};

use PostCommand::{PublishPost, RetractPost, WritePost};
use PostEvent::{PostPublished, PostRetracted, PostWritten};

fn main() -> ExitCode {
    let blog = millrace::Context::new("blog")
        .aggregate::<Post>()
        .projection::<PostsByAuthor>()
        .policy(HouseRules { banned: "lottery" });
    millrace::main(millrace::Registry::new([blog]))
}

/// What the rules need to know of a post that was written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Post {
    text: Text,
    published: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    author: String,
    title: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum PostCommand {
    WritePost(Text),
    PublishPost {},
    RetractPost {},
}

/// Facts. Each says all that its row needs, the key before all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum PostEvent {
    PostWritten(Text),
    PostPublished(Text),
    PostRetracted(Text),
}

const ID_TAKEN: PlainRejection = PlainRejection::new("id_taken", "this id has a post already");
const NOT_FOUND: PlainRejection = PlainRejection::new("not_found", "there is no such post");
const PUBLISHED: PlainRejection = PlainRejection::new("published", "it is published already");

impl Aggregate for Post {
    const NAME: &'static str = "blog.post";
    const SCHEMAS: Schemas = Schemas {
        commands: include_str!("blog/post.commands.avsc"),
        events: include_str!("blog/post.events.avsc"),
        state: include_str!("blog/post.state.avsc"),
    };
    type Command = PostCommand;
    type Event = PostEvent;
    type Rejection = PlainRejection;

    fn decide(
        post: Option<&Self>,
        command: &PostCommand,
        _: &Context<'_>,
    ) -> Result<Decision<PostEvent>, PlainRejection> {
        match (command, post) {
            (WritePost(text), None) => Ok(PostWritten(text.clone()).into()),
            (WritePost(_), Some(_)) => Err(ID_TAKEN),
            (PublishPost {}, Some(post)) if post.published => Err(PUBLISHED),
            (PublishPost {}, Some(post)) => Ok(PostPublished(post.text.clone()).into()),
            (RetractPost {}, Some(post)) if !post.published => Ok(Decision::nothing()),
            (RetractPost {}, Some(post)) => Ok(PostRetracted(post.text.clone()).into()),
            (PublishPost {} | RetractPost {}, None) => Err(NOT_FOUND),
        }
    }

    fn evolve(_: Option<Self>, event: &PostEvent) -> Option<Self> {
        let (PostWritten(text) | PostPublished(text) | PostRetracted(text)) = event;
        let (text, published) = (text.clone(), matches!(event, PostPublished(_)));
        Some(Self { text, published })
    }
}

/// One partition for each author, and in it a row for each post.
static POSTS_BY_AUTHOR: Table = Table {
    name: "posts_by_author",
    columns: &[
        Column::text("author"),
        Column::text("id"),
        Column::text("title"),
        Column::text("status"),
    ],
    partition_key: 1,
    clustering: &[Order::Ascending],
    stamp: Stamp::Version,
};

struct PostsByAuthor;

impl Projection for PostsByAuthor {
    type Aggregate = Post;
    const NAME: &'static str = "posts_by_author";
    const REVISION: i32 = 1;
    const TABLES: &'static [&'static Table] = &[&POSTS_BY_AUTHOR];

    fn project(id: &str, event: &EventEnvelope<PostEvent>) -> Vec<Row> {
        let (text, status) = match &event.payload {
            PostWritten(text) => (text, "draft"),
            PostPublished(text) => (text, "published"),
            PostRetracted(text) => (text, "retracted"),
        };
        let columns = [
            ("author", (&text.author).into()),
            ("id", id.into()),
            ("title", (&text.title).into()),
            ("status", status.into()),
        ];
        vec![Row::upsert(&POSTS_BY_AUTHOR, columns)]
    }
}

/// Takes back a post whose title has a banned word in it.
#[derive(Debug, Clone)]
struct HouseRules {
    banned: &'static str,
}

impl Policy for HouseRules {
    type Aggregate = Post;
    const NAME: &'static str = "blog.policy.house-rules";
    const TARGETS: &'static [&'static str] = &[Post::NAME];

    fn react(&self, id: &str, event: &EventEnvelope<PostEvent>) -> Vec<FollowUp> {
        match &event.payload {
            PostPublished(text) if text.title.contains(self.banned) => {
                vec![FollowUp::to::<Post>(id, &RetractPost {})]
            }
            PostWritten(_) | PostPublished(_) | PostRetracted(_) => Vec::new(),
        }
    }
}
